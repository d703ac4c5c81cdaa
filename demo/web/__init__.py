"""The pages of the emulated portal: what a manager sees in the browser."""
