"""Why a face was read as it was: maps over the crop, and what parts of the face they point at."""
