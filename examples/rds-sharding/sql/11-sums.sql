-- Sums over all partitions.
select sum(n) as users from dy('select count(*) from shop.userinfo') as (n bigint);
select sum(n) as logins from dy('select count(*) from shop.login_log') as (n bigint);
select partition, users, logged_in from dy($$
  select current_setting('application_name')::int, (select count(*) from shop.userinfo),
         (select count(*) from shop.session where last_login is not null)$$)
  as (partition int, users bigint, logged_in bigint);
