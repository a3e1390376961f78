import { claimAtARate } from '../superseded/claim-webhooks-2.ts'
import { settleAndEndProbes } from '../superseded/settle-webhooks-3.ts'

/**
 * Endpoints get their own headers, certificates and rate. A probe ends together with its delivery.
 */
export function waysOfEndpoints(schema: string): string[] {
  return [
    // 'headers' and 'tls' are sealed. 'rate_free_at' is when the rate allows the next claim.
    // 'probe_id' is the delivery that is sent as a probe; while it is under way, 'blocked_until'
    // keeps others from being sent.
    `alter table ${schema}.webhook_endpoints
      add column headers json,
      add column tls json,
      add column rate double precision,
      add column rate_free_at timestamptz,
      add column probe_id bigint`,
    claimAtARate(schema),
    settleAndEndProbes(schema),
    // Releases before this one still call this function. They would send without the endpoint's
    // headers and certificates, so it gives them no delivery that needs these.
    `create or replace function ${schema}.claim_webhooks(in_limit integer, in_per_endpoint integer,
        in_under_way json, in_lease_ms bigint, in_breaker_failures integer,
        in_most_unfinished integer)
      returns setof text language plpgsql volatile as $$
      begin
        return query select ${schema}.claim_webhooks_2(in_limit, in_per_endpoint, in_under_way,
          in_lease_ms, in_breaker_failures, in_most_unfinished, false);
      end $$`,
  ]
}
