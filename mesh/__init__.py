"""A node's end of the mesh: dials each relay, announces interest, pairs requests with replies."""
