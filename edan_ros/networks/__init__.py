"""Networks in torch, one file each."""
