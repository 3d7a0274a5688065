"""How events get in: messages from the queue into the raw lake, and the receiver of pushed events."""
