"""What the system tests share: the program under test, a recording backend, a raw HTTP client."""
