"""The links of the mesh: pynng, and a twin inside the process."""
