-- On the proxy whose sessions share connections: two to each partition.
alter server parts_8 options (add shared_connections '2');
alter server parts_32 options (add shared_connections '2');
