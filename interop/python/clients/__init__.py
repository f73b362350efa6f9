"""Drivers of clients that others wrote: how each is set up, started, told what to do, and asked what it shows."""
