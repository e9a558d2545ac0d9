"""The five laws over what happens in the world, and over whatever can be made up."""
