not a change
