"""Certificate files: `pem` reads them, `credentials` are those of the mesh's links, and `renewal`
keeps up with files that are replaced."""
