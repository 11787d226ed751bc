"""Small networks trained from scratch on each contestant's pictures, all under the same conditions."""
