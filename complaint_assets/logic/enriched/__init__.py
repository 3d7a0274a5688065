"""From complaints to what they are about, how bad they are and where, with the reasons."""
