-- One table of the proxy for each table of the partitions, divided by the expression that the cluster's functions run on.
create table users (userid int not null, name text not null) partition by list ((userid & 7));
create table orders (orderid bigint not null, userid int not null, amount numeric(10, 2) not null) partition by list ((userid & 7));
select format('create foreign table %s_%s partition of %1$s for values in (%2$s) server shop_%2$s
    options (table_name %1$L, use_remote_estimate ''true'')', name, number)
from unnest(array['users', 'orders']) name, generate_series(0, 7) number
\gexec
