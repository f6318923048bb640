"""What a music file says about itself: read, written, and restored."""
