/**
 * `rotate_webhook_secret` adds a secret to an endpoint. The older secrets also sign until the
 * overlap has passed; at most `in_most` of them do, because a receiver has to check them all.
 *
 * The function is VOLATILE, so that it reads the secrets in a snapshot taken after the endpoint was
 * locked. Of two concurrent rotations, the second then limits the secret that the first has added.
 * A single statement would not see that secret.
 */
export function rotateWebhookSecret(schema: string): string {
  return `create function ${schema}.rotate_webhook_secret(in_endpoint uuid, in_secret text,
      in_seal text, in_overlap_ms bigint, in_most integer)
    returns setof bigint language plpgsql volatile as $$
    begin
      perform from ${schema}.webhook_endpoints e
        where e.id = in_endpoint and e.status <> 'deleted'
        for no key update;
      if not found then
        return;
      end if;
      update ${schema}.webhook_secrets s
        set expires_at = case when b.age > in_most then clock_timestamp()
          else least(s.expires_at, clock_timestamp() + in_overlap_ms * interval '1 millisecond') end
        from (
          select i.id, row_number() over (order by i.id desc) as age
            from ${schema}.webhook_secrets i
            where i.endpoint_id = in_endpoint
              and (i.expires_at is null or i.expires_at > clock_timestamp())
        ) b
        where s.id = b.id;
      delete from ${schema}.webhook_secrets s
        where s.endpoint_id = in_endpoint and s.expires_at <= clock_timestamp();
      return query
        insert into ${schema}.webhook_secrets (endpoint_id, secret, seal)
          values (in_endpoint, in_secret, in_seal)
          returning id;
    end $$`
}
