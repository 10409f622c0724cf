-- The proxy's side of the shop.
create function put_user(i_name text) returns text language plproxy as
    $$ cluster 'shop'; run on hashtext(i_name); $$;
create function put_users(i_names text[]) returns setof bigint language plproxy as
    $$ cluster 'shop'; split i_names; run on hashtext(i_names); $$;
create function get_user(i_name text, out name text, out info text, out home text) returns setof record language plproxy as
    $$ cluster 'shop'; run on hashtext(i_name); $$;
create function sum_users(out home text, out n bigint, out checksum numeric) returns setof record language plproxy as
    $$ cluster 'shop'; run on all; $$;
create function all_users(out name text, out info text) returns setof record language plproxy as
    $$ cluster 'shop'; run on all; $$;
