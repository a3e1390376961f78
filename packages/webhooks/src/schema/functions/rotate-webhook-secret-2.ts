import { refuseDropped } from '@oncekey/postgres/client'

/**
 * `rotate_webhook_secret_2` adds a secret to an endpoint. The older ones keep signing beside it for
 * the overlap, and at most `in_most` of them, because a receiver has to check them all. It raises
 * if a trigger drops a part of that: a secret that leaked would go on signing.
 *
 * The function is VOLATILE, so that it reads the secrets in a snapshot taken after the endpoint was
 * locked: of two concurrent rotations the second retires what the first one made. A single
 * statement would not see it.
 */
export function rotateOrRaise(schema: string): string {
  return `create function ${schema}.rotate_webhook_secret_2(in_endpoint uuid, in_secret text,
      in_seal text, in_overlap_ms bigint, in_most integer)
    returns setof bigint language plpgsql volatile as $$
    declare
      older bigint[];
      made bigint;
      written bigint;
    begin
      perform from ${schema}.webhook_endpoints e
        where e.id = in_endpoint and e.status <> 'deleted'
        for no key update;
      if not found then
        return;
      end if;
      select array_agg(s.id order by s.id desc) into older from ${schema}.webhook_secrets s
        where s.endpoint_id = in_endpoint
          and (s.expires_at is null or s.expires_at > clock_timestamp());
      update ${schema}.webhook_secrets s
        set expires_at = case when array_position(older, s.id) > in_most then clock_timestamp()
          else least(s.expires_at, clock_timestamp() + in_overlap_ms * interval '1 millisecond') end
        where s.id = any(older);
      get diagnostics written = row_count;
      ${refuseDropped('webhook_secrets', 'written <> cardinality(older)')}
      delete from ${schema}.webhook_secrets s
        where s.endpoint_id = in_endpoint and s.expires_at <= clock_timestamp();
      insert into ${schema}.webhook_secrets (endpoint_id, secret, seal)
        values (in_endpoint, in_secret, in_seal)
        returning id into made;
      ${refuseDropped('webhook_secrets')}
      return next made;
    end $$`
}
