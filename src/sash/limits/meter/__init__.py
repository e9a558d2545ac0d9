"""The meter: every attempt is written down, counted for OpenTelemetry, and watched for alarms."""
