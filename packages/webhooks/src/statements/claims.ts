import type { Statement } from '@oncekey/postgres/client'
import { DATABASE_MS } from './database-ms.ts'
import type { StoredSecret } from './secrets.ts'

export interface ClaimQuestion {
  /** How many deliveries to claim at most. */
  readonly limit: number
  /** How many deliveries this worker may have under way to one endpoint. */
  readonly perEndpoint: number
  /**
   * How many deliveries this worker has under way to each endpoint already; `OUT_OF_REACH` for an
   * endpoint to which it cannot send, and which is passed over.
   */
  readonly underWay: ReadonlyMap<string, number>
  readonly leaseMs: number
  /**
   * After this many failures in a row an endpoint gets one delivery at a time, between cooldowns.
   */
  readonly breakerFailures: number
  /**
   * After this many claims in a row without an outcome a delivery is dead as `poison`, because it
   * kills workers.
   */
  readonly mostUnfinished: number
  /** After this many a delivery is a suspect: it may be what kills them. */
  readonly suspectFrom: number
  /** Whether to claim one suspect, too; otherwise none. */
  readonly takesSuspect: boolean
  /** The most bytes of bodies together, beyond the first. */
  readonly mostBytes: number
  /** The name of this worker in its claims. */
  readonly worker: string
}

/** More deliveries than a worker can have under way; an integer of PostgreSQL. */
export const OUT_OF_REACH: number = 2 ** 30

/**
 * Claims deliveries that are due and returns what to send, by
 * `schema/functions/claim-webhooks-6.ts`, with the time by the database's clock.
 */
export function claimDeliveries(
  schema: string,
  question: ClaimQuestion,
): Statement<{ delivery: string; now_ms: string }> {
  const { limit, perEndpoint, underWay, leaseMs, breakerFailures, mostUnfinished } = question
  return {
    name: 'claim_deliveries',
    text: `
      select ${schema}.claim_webhooks_6($1::integer, $2::integer, $3::json, $4::bigint, $5::integer,
        $6::integer, true, $7::bigint, $8::text, $9::integer, $10::boolean) as delivery,
        ${DATABASE_MS}::text as now_ms`,
    values: [
      limit,
      perEndpoint,
      JSON.stringify([...underWay].map(([id, running]) => ({ id, running }))),
      leaseMs,
      breakerFailures,
      mostUnfinished,
      question.mostBytes,
      question.worker,
      question.suspectFrom,
      String(question.takesSuspect),
    ],
  }
}

/** The JSON in `delivery`. */
export interface ClaimedDelivery {
  readonly id: string
  readonly epoch: number
  /** The number of this attempt. The first is 1, and attempts without an outcome are counted. */
  readonly number: number
  /** How many attempts came to an outcome before this one. */
  readonly tries: number
  /** Whether workers have died in a row that had it under way. */
  readonly suspect: boolean
  readonly endpointId: string
  readonly url: string
  readonly messageId: string
  /** The body, in base64. */
  readonly body: string
  /** The secrets in force, the newest first. */
  readonly secrets: readonly StoredSecret[] | null
  /** The endpoint's own headers, as they are stored. */
  readonly headers: StoredSecret | null
  readonly tls: StoredSecret | null
}

/**
 * Gives back deliveries that were claimed and not sent: the claim is no longer counted, and their
 * probes end.
 */
export function releaseDeliveries(
  schema: string,
  claims: readonly { readonly id: string; readonly epoch: number }[],
): Statement {
  return {
    name: 'release_deliveries',
    text: released(
      schema,
      `json_to_recordset($1::json) as c (id bigint, epoch integer)
          where d.id = c.id and d.epoch = c.epoch and d.state = 'pending'
            and d.leased_until is not null`,
    ),
    values: [JSON.stringify(claims.map(({ id, epoch }) => ({ id, epoch })))],
  }
}

/**
 * Gives back in the same way what a worker claimed and does not know of, because the claim got no
 * answer. `kept` are the deliveries that it does know of.
 */
export function releaseUnanswered(
  schema: string,
  worker: string,
  kept: readonly string[],
): Statement {
  return {
    name: 'release_unanswered_deliveries',
    text: released(
      schema,
      `(
            select u.id from ${schema}.webhook_deliveries u
              where u.state = 'pending' and u.leased_until is not null
                and u.claimed_by = $1::text || ' ' || u.epoch
                and u.id not in (select json_array_elements_text($2::json)::bigint)
              for update skip locked
          ) c
          where d.id = c.id`,
    ),
    values: [worker, JSON.stringify(kept)],
  }
}

function released(schema: string, claims: string): string {
  return `
      with released as (
        update ${schema}.webhook_deliveries d
          set leased_until = null, unfinished = d.unfinished - 1
          from ${claims}
          returning d.id, d.endpoint_id
      ), probed as materialized (
        select e.id from ${schema}.webhook_endpoints e
          join released r on r.endpoint_id = e.id and r.id = e.probe_id
          order by e.id
          for no key update of e skip locked
      )
      update ${schema}.webhook_endpoints e
        set blocked_until = null, probe_id = null
        from probed p where e.id = p.id`
}
