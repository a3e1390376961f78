import type { Statement } from '@oncekey/postgres/client'
import type { StoredSecret } from './claim-deliveries.ts'

/**
 * A new secret for an endpoint; those before go on signing beside it for the overlap, by the database's
 * clock, and at most `most` of them: a receiver checks them all.
 */
export function rotateSecret(
  schema: string,
  endpointId: string,
  secret: StoredSecret,
  { overlapMs, most }: { readonly overlapMs: number; readonly most: number },
): Statement<{ id: string }> {
  return {
    name: 'rotate_secret',
    text: `
      with endpoint as materialized (
        select id from ${schema}.webhook_endpoints
          where id = $1::uuid and status <> 'deleted'
          for no key update
      ), before as (
        select s.id, row_number() over (order by s.id desc) as age
          from ${schema}.webhook_secrets s join endpoint on endpoint.id = s.endpoint_id
          where s.expires_at is null or s.expires_at > now()
      ), retired as (
        update ${schema}.webhook_secrets s
          set expires_at = case when b.age > $5::integer then now()
            else least(s.expires_at, now() + $4::bigint * interval '1 millisecond') end
          from before b where s.id = b.id
      ), forgotten as (
        delete from ${schema}.webhook_secrets s using endpoint
          where s.endpoint_id = endpoint.id and s.expires_at <= now()
      )
      insert into ${schema}.webhook_secrets (endpoint_id, secret, seal)
        select id, $2::text, $3::text from endpoint
        returning id::text`,
    values: [endpointId, secret.secret, secret.seal, overlapMs, most],
  }
}
