"""The SQL of the application: a class for each subject, with a typed method for each routine or view that is used.

Nothing outside worker/db knows the name of a routine or of a column; a test sees to that. A new subject is a class
here, derived from Routines; the API hands it to every handler that has a parameter of that type.
"""
