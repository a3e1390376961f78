import { setTimeout } from 'node:timers/promises'
import { meansType } from '@oncekey/core'
import type { EventSummary } from '@oncekey/postgres'
import { CliError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { PAGE } from '../command/common-options.ts'
import { ExitCode } from '../command/exit-code.ts'
import { pageOf, tellNext } from '../command/paging.ts'
import { askSources } from '../connection/log.ts'
import { jsonValue } from '../output/json.ts'
import type { Page } from '../output/page.ts'
import { type EventsToSee, remoteEvents } from '../remote/events.ts'
import { showNotShown } from './dead/shown-letter.ts'

export const eventsCommands: readonly Command[] = [
  {
    path: 'events tail',
    summary: 'Show the newest events, and with --follow those that come',
    details:
      'It reads beside the relays: it moves no cursor and holds nothing back. With --follow and --json each\n' +
      'event is a line of JSON. A dashboard can be asked for the newest ones only.',
    server: 'postgres',
    viaDashboard: true,
    endsItself: true,
    options: {
      type: { value: 'type', many: true, help: 'Only these: order.created, order.*.' },
      subject: { value: 'text', help: 'Only those about this subject.' },
      follow: {
        short: 'f',
        help: 'Go on with those that are committed from now on, until Ctrl-C.',
      },
      ...PAGE,
    },
    examples: ["events tail --type 'order.*'", 'events tail --follow --json | jq .data'],
    run: tailEvents,
  },
  {
    path: 'events show',
    summary: 'Show an event that is still in the log, and what became of it where it failed',
    server: 'postgres',
    viaDashboard: true,
    operands: [{ name: 'id' }],
    examples: ['events show 01993a5c-7f3e-7d10-b7a1-5f3c2d1e0f9a'],
    run: showEvent,
  },
]

async function tailEvents(call: Call): Promise<ExitCode> {
  const { given, out } = call
  const events = await eventsOf(call)
  const types = given.list('type')
  const subject = given.text('subject')
  const filter = {
    ...(types.length > 0 && { types }),
    ...(subject !== undefined && { subject }),
  }
  const isFollowed = given.flag('follow')
  // The place is taken before the page is read. An event that is committed in between comes from
  // both, and is recognised by its id.
  const place = isFollowed ? await events.place() : undefined
  const page = await events.list(filter, pageOf(given))
  const shownIds = new Set(page.items.map(({ id }) => id))
  if (place === undefined) {
    await out.result({ items: page.items.map(documentOf), next: page.next }, (text) => {
      if (page.items.length === 0) text.line`There are none in the log.`
      else text.table(['occurred', 'type', 'subject', 'id', 'data'], page.items.map(rowOf))
      tellNext(text, page.next)
    })
    return ExitCode.done
  }
  for (const event of page.items.toReversed()) await showLine(call, event)
  await follow(call, events, place, async (event) => {
    if (shownIds.has(event.id) || !isMeant(event, filter)) return
    await showLine(call, event)
  })
  return ExitCode.interrupted
}

async function follow(
  { signal }: Call,
  events: EventsToSee,
  from: Awaited<ReturnType<EventsToSee['place']>>,
  show: (event: EventSummary) => Promise<void>,
): Promise<void> {
  let place = from
  while (!signal.aborted) {
    const next = await events.since(place)
    place = next.place
    for (const event of next.events) await show(event)
    if (next.events.length > 0) continue
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

function isMeant(event: EventSummary, filter: { types?: readonly string[]; subject?: string }) {
  return (
    (filter.types === undefined || meansType(filter.types, event.type)) &&
    (filter.subject === undefined || event.subject === filter.subject)
  )
}

async function showLine({ out }: Call, event: EventSummary): Promise<void> {
  await out.item(documentOf(event), (page) => {
    page.line`${event.occurredAt}  ${event.type}  ${event.subject}  ${event.id}  ${event.data}`
  })
}

async function showEvent(call: Call): Promise<ExitCode> {
  const id = call.given.operand('id')
  const event = await (await eventsOf(call)).get(id)
  const { answers, notShown } = await askSources(call, (source) =>
    source.list({ eventIds: [id] }, { limit: 100 }),
  )
  const failed = answers.flatMap(({ of, answer }) => answer.items.map((letter) => ({ of, letter })))
  if (event === undefined && failed.length === 0) {
    throw new CliError(
      ExitCode.found,
      `Event ${id} is not in the log: its id is another, or every consumer has had it and it was kept long enough.`,
    )
  }
  const document = {
    event: event === undefined ? null : documentOf(event),
    dead: failed.map(({ of, letter }) => ({ of, ...letter })),
    ...(notShown.length > 0 && { notShown }),
  }
  await call.out.result(document, (page) => {
    if (event === undefined) page.line`Event ${id} is not in the log any more.`
    else showWhole(page, event)
    page.blank()
    const of = answers.map((each) => each.of).join(' or ')
    if (failed.length === 0 && notShown.length === 0) page.line`It is no dead letter of anybody.`
    else if (failed.length === 0 && of !== '') page.line`It is no dead letter of ${of}.`
    else if (failed.length > 0) {
      page.table(
        ['dead at', 'of', 'origin', 'id', 'error'],
        failed.map(({ of, letter: { deadAt, origin, id: letterId, error } }) => [
          deadAt,
          of,
          origin,
          letterId,
          error && `${error.name}: ${error.message}`,
        ]),
      )
    }
    showNotShown(page, notShown)
  })
  return ExitCode.done
}

function showWhole(page: Page, event: EventSummary): void {
  page.fields([
    ['id', event.id],
    ['type', event.type],
    ['source', event.source],
    ['subject', event.subject],
    ['ordering key', event.orderingKey],
    ['occurred', event.occurredAt],
    ['number', event.seq],
    ...Object.entries(event.headers),
  ])
  page.blank()
  page.title('Data')
  page.block(event.data)
}

function documentOf(event: EventSummary): unknown {
  return { ...event, data: jsonValue(event.data) }
}

function rowOf({ occurredAt, type, subject, id, data }: EventSummary): unknown[] {
  return [occurredAt, type, subject, id, data]
}

async function eventsOf(call: Call): Promise<EventsToSee> {
  const api = call.dashboard()
  if (api !== undefined) return remoteEvents(api)
  const { postgresEvents } = await import('@oncekey/postgres')
  return postgresEvents({ client: call.postgres(), schema: call.schema })
}

const POLL_MS = 500
