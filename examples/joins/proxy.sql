-- The cluster's functions.
create function put_users(i_ids int[]) returns setof bigint language plproxy as
    $$ cluster 'shop'; split i_ids; run on i_ids; $$;
create function put_orders(i_ids int[]) returns setof bigint language plproxy as
    $$ cluster 'shop'; split i_ids; run on i_ids; $$;
create function get_user(i_userid int, out name text, out home text) returns setof record language plproxy as
    $$ cluster 'shop'; run on i_userid; $$;
create function large_orders(i_amount numeric, out name text, out amount numeric) returns setof record language plproxy as
    $$ cluster 'shop'; run on all; $$;
create function sums(out part int, out n bigint, out amount numeric) returns setof record language plproxy as
    $$ cluster 'shop'; run on all; $$;
create function all_orders(out orderid bigint, out userid int, out amount numeric) returns setof record language plproxy as
    $$ cluster 'shop'; run on all; $$;
