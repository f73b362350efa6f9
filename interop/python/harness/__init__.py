"""What every partner needs: a server's coordinates, cases with limits, an environment, a scripted client."""
