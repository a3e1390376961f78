import { readCommitted } from '@oncekey/postgres/client'

/**
 * `webhook_has_room` says whether a customer may register one more endpoint. Until the end of the
 * transaction it keeps other registrations of the customer waiting, so that of several at once no
 * more are made than there is room for. The count is a statement of its own, whose snapshot has
 * what the registration before has committed.
 */
export function roomForEndpoint(schema: string): string {
  return `create function ${schema}.webhook_has_room(in_customer text, in_most integer,
      in_lock bigint)
    returns boolean language plpgsql volatile set enable_seqscan = off set jit = off as $$
    begin
      ${readCommitted('a registration')}
      perform pg_advisory_xact_lock(in_lock);
      return in_most > (
        select count(*) from (
          select from ${schema}.webhook_endpoints e
            where e.customer = in_customer and e.status <> 'deleted' limit in_most
        ) registered);
    end $$`
}
