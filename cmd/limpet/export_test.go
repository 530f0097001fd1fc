package main

// Main is main, for the processes that the tests start from their own binary.
func Main() { main() }
