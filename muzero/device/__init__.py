"""Where and in what precision networks compute, and what the allocator keeps."""
