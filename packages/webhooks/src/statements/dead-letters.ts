import type { DeadLetterFilter, DeadLetterPageRequest, RetryingFilter } from '@oncekey/core'
import { auditCall, deadLetterTarget, type Statement } from '@oncekey/postgres/client'
import {
  deadLetterCondition,
  deadLetterConditionValues,
  isNamed,
  lookedAtOf,
  pageToken,
} from './dead-letter-filter.ts'
import type { EndpointAct } from './endpoint-act.ts'

/** Builds the JSON of a dead letter; `d` is the delivery, `m` its message, `a` its last attempt. */
export function deadLetterJson(schema: string): string {
  return `json_build_object('id', d.id::text, 'origin', d.endpoint_id,
    'state', d.state, 'eventId', d.message_id, 'type', m.type, 'subject', m.subject,
    'reason', d.reason, 'error', d.error, 'status', a.status, 'message', a.message,
    'body', encode(substring(a.body for 200), 'base64'), 'attempts', d.attempts,
    'redrives', d.redrives, 'occurredAt', m.occurred_at,
    'firstFailedAt', coalesce((
      select min(f.started_at) from ${schema}.webhook_attempts f where f.delivery_id = d.id
    ), d.died_at, d.created_at),
    'deadAt', d.died_at, 'dueAt', case when d.state = 'pending' then d.due_at end,
    'note', d.note, 'isReplaced', d.replaced_by is not null)::text as letter`
}

export interface DeadLetterRow {
  /** {@link DeadLetterJson}. */
  readonly letter: string
}

export interface DeadLetterJson {
  readonly id: string
  readonly origin: string
  readonly state: 'pending' | 'delivered' | 'dead' | 'discarded' | 'ended'
  readonly eventId: string
  readonly type: string
  readonly subject: string | null
  readonly reason: string | null
  readonly error: string | null
  readonly status: number | null
  readonly message: string | null
  readonly body: string | null
  readonly attempts: number
  readonly redrives: number
  readonly occurredAt: string
  readonly firstFailedAt: string
  readonly deadAt: string | null
  readonly dueAt: string | null
  readonly note: string | null
  readonly isReplaced: boolean
}

/** The tables that `deadLetterJson` reads. */
export function deadLetterTables(schema: string): string {
  return `${schema}.webhook_deliveries d ${joinedTables(schema)}`
}

/**
 * The message of each delivery, looked up one by one: a join that the planner is free in would
 * read all messages for the few deliveries that are shown.
 */
function joinedMessage(schema: string): string {
  return `cross join lateral (
          select * from ${schema}.webhook_messages m where m.id = d.message_id offset 0
        ) m`
}

/** The same tables for a statement that has its own `d`. */
export function joinedTables(schema: string): string {
  return `${joinedMessage(schema)}
        left join lateral (
          select a.status, a.message, a.body from ${schema}.webhook_attempts a
            where a.delivery_id = d.id order by a.number desc limit 1
        ) a on true`
}

/**
 * Lists dead letters, the oldest first. `page_token` marks where the next page begins. Where a page
 * is short and there are more letters to look at, each row has the page token behind those it
 * looked at. A page without letters is one row without a letter.
 */
export function listDeadLetters(
  schema: string,
  filter: DeadLetterFilter,
  { limit, after }: DeadLetterPageRequest,
): Statement<{
  readonly letter: string | null
  readonly page_token: string | null
  readonly looked_to: string | null
}> {
  const [diedAt, id] = after?.split('|') ?? []
  const isBehind = `($10::timestamptz is null
            or (d.died_at, d.id) > ($10::timestamptz, $11::bigint))`
  return {
    name: isNamed(filter) ? 'list_named_dead_letters' : 'list_dead_letters',
    text: `
      select page.*, case when count(page.letter) over () < $12::integer
          then ${lookedAtOf(schema, filter).last(isBehind)} end as looked_to
      from (select) one left join lateral (
        select ${deadLetterJson(schema)}, ${pageToken} as page_token,
            (row_number() over (order by d.died_at, d.id))::text as number
          from ${lookedAtOf(schema, filter).letters(isBehind)} ${joinedTables(schema)}
          where ${deadLetterCondition} and ${isBehind}
          order by d.died_at, d.id
          limit $12::integer
      ) page on true
      order by page.number::integer`,
    values: [...deadLetterConditionValues(filter), diedAt ?? null, id ?? null, limit],
    cancellable: true,
  }
}

/**
 * Lists deliveries that have failed and will be retried, by endpoint and due time, which is the
 * order of the index that workers use. That index also holds deliveries that were never tried, and
 * those of other types. So `looked` limits how many rows are read, and `is_meant` says which of
 * them match.
 */
export function listRetrying(
  schema: string,
  { origin, type, subject }: RetryingFilter,
  looked: number,
  after: string | undefined,
): Statement<DeadLetterRow & { page_token: string; is_meant: 'true' | 'false' }> {
  const [endpoint, dueAt, id] = after?.split('|') ?? []
  return {
    name: 'list_retrying',
    text: `
      select ${deadLetterJson(schema)},
          d.endpoint_id || '|' || to_char(d.due_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.USZ')
            || '|' || d.id as page_token,
          (d.tries + d.redrives > 0 and ($2::text is null or m.type = $2::text)
            and ($3::text is null or m.subject = $3::text))::text as is_meant
        from (
          select d.* from ${schema}.webhook_deliveries d
            where d.state = 'pending' and ($1::text is null or d.endpoint_id = $1::uuid)
              and ($4::uuid is null or (d.endpoint_id, d.due_at, d.id)
                > ($4::uuid, $5::timestamptz, $6::bigint))
            order by d.endpoint_id, d.due_at, d.id
            limit $7::integer
        ) d ${joinedTables(schema)}
        order by d.endpoint_id, d.due_at, d.id`,
    values: [
      origin ?? null,
      type ?? null,
      subject ?? null,
      endpoint ?? null,
      dueAt ?? null,
      id ?? null,
      looked,
    ],
    cancellable: true,
  }
}

export interface FoundLetterRow extends DeadLetterRow {
  readonly source: string
  readonly headers: string
  /** The whole body: PostgreSQL refuses to look into JSON that has an escaped NUL somewhere. */
  readonly whole_body: string
  readonly replaces: string | null
  readonly replaced_by: string | null
}

/** Reads a delivery that is dead, was dead, or has failed and will be retried. */
export function findDeadLetter(schema: string, id: string): Statement<FoundLetterRow> {
  return {
    name: 'find_dead_letter',
    text: `
      select ${deadLetterJson(schema)}, m.source, m.headers::text as headers,
          convert_from(m.body, 'UTF8') as whole_body,
          d.replaces::text as replaces, d.replaced_by::text as replaced_by
        from ${deadLetterTables(schema)}
        where d.id = $1::bigint
          and (d.died_at is not null or d.state = 'pending' and d.tries > 0
            or d.replaces is not null)`,
    values: [id],
    cancellable: true,
  }
}

export function countDeadLetters(
  schema: string,
  filter: DeadLetterFilter,
): Statement<{ count: string }> {
  return {
    name: isNamed(filter) ? 'count_named_dead_letters' : 'count_dead_letters',
    text: `
      select count(*)::text as count
        from ${lookedAtOf(schema, filter).letters()} ${joinedMessage(schema)}
        where ${deadLetterCondition}`,
    values: deadLetterConditionValues(filter),
    cancellable: true,
  }
}

/**
 * Redrives the oldest matching dead letters, with one audit entry. Each keeps its event id and
 * begins its retry schedule anew. Letters that `putBack` leaves are left out before the limit
 * counts: they may be older than all others.
 */
export function redriveDeadLetters(
  schema: string,
  filter: DeadLetterFilter,
  limit: number,
  by: EndpointAct,
): Statement<{ id: string }> {
  const audit = auditCall(schema, {
    actor: '$11',
    note: '$12',
    act: 'dead-letters.redrive',
    target: `'["dead-letters","webhooks"]'`,
    detail: `jsonb_build_object('ids', jsonb_agg(put.id::text order by put.id))`,
  })
  return {
    name: 'redrive_dead_letters',
    text: `
      with due as materialized (
        select d.id
          from ${schema}.webhook_deliveries d
          join ${schema}.webhook_messages m on m.id = d.message_id
          where ${deadLetterCondition} and ${hasEndpoint(schema)}
          order by d.died_at, d.id
          limit $10::integer
          for update of d skip locked
      ), put as (
        ${putBack(schema)}
      )
      select put.id::text as id, (select ${audit} from put having count(*) > 0)::text as operation
        from put`,
    values: [...deadLetterConditionValues(filter), limit, by.actor, by.note],
  }
}

/**
 * The update that puts the deliveries in `due` back. Claims that came to no outcome count as
 * attempts, so that no number is given twice. Those of an endpoint that is being deleted stay as
 * they are: nothing would send them.
 */
export function putBack(schema: string): string {
  return `update ${schema}.webhook_deliveries d
        set state = 'pending', due_at = now(), tries = 0, attempts = d.attempts + d.unfinished,
          unfinished = 0, reason = null, ended_at = null, redrives = d.redrives + 1, resolved_at = now()
        from due
        where d.id = due.id and ${hasEndpoint(schema)}
        returning d.id`
}

/** Whether the endpoint of the delivery `d` is not being deleted. */
function hasEndpoint(schema: string): string {
  return `not exists (
          select from ${schema}.webhook_endpoints e
            where e.id = d.endpoint_id and e.status = 'deleted')`
}

/**
 * Discards dead letters, with an audit entry for each. A trigger notes each discard in its message,
 * which others of the same messages do at other endpoints. So that two such acts wait for each
 * other at most, deliveries are locked first, then messages, each in order of their ids.
 */
export function discardDeadLetters(
  schema: string,
  ids: readonly string[],
  note: string,
  by: EndpointAct,
): Statement<{ id: string }> {
  const audit = auditCall(schema, {
    actor: '$3',
    note: '$2',
    act: 'dead-letters.discard',
    target: deadLetterTarget('webhooks', 'put.id'),
    detail: `jsonb_build_object('origin', put.endpoint_id, 'eventId', put.message_id)`,
  })
  return {
    name: 'discard_dead_letters',
    text: `
      with due as materialized (
        select d.id, d.message_id from ${schema}.webhook_deliveries d
          where d.state = 'dead'
            and d.id = any(array(select json_array_elements_text($1::json)::bigint))
          order by d.id
          for no key update of d
      ), noted as materialized (
        select m.id from ${schema}.webhook_messages m
          where m.id = any(array(select due.message_id from due))
          order by m.id
          for no key update of m
      ), put as (
        update ${schema}.webhook_deliveries d
          set state = 'discarded', note = $2::text, ended_at = now(), resolved_at = now()
          from due where d.id = due.id and (select count(*) from noted) >= 0
          returning d.id, d.endpoint_id, d.message_id
      )
      select put.id::text as id, ${audit}::text as operation from put`,
    values: [JSON.stringify(ids), note, by.actor],
  }
}
