"""Who changed what master data and when: one list over the histories of all tables that staff maintain.

sources (which tables have a history)  ->  reading (a page of rows, in a fixed number of queries)
->  wording (what differs, in words)   ->  the page, the tab of an item, the REST resource
"""
