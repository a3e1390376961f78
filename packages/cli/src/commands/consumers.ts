import { CliError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { deadLettersOf, logOf } from '../connection/log.ts'
import { shownDuration } from '../output/page.ts'
import { type ListedConsumer, remoteConsumers } from '../remote/consumers.ts'

export const consumersCommands: readonly Command[] = [
  {
    path: 'consumers list',
    summary: 'List the consumers of the log: how far behind, who reads, what is dead',
    server: 'postgres',
    viaDashboard: true,
    examples: ['consumers list'],
    run: listConsumers,
  },
  {
    path: 'consumers retire',
    summary: 'Forget a consumer that is no more, so that it holds no events back',
    details:
      'What it could not take, dead or retrying, is kept apart: dead list --retired shows it. With --discard it\n' +
      'is given up instead. A relay that still has it begins anew, where its startAt says.',
    server: 'postgres',
    act: 'asks',
    operands: [{ name: 'consumer' }],
    options: { discard: { help: 'Give up what it could not take, instead of keeping it.' } },
    examples: ["consumers retire email-v1 --note 'renamed to email' --yes"],
    run: retireConsumer,
  },
  {
    path: 'consumers pause',
    summary: 'Deliver nothing to a consumer until it is resumed; its events are kept',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'consumer' }],
    examples: ["consumers pause email --note 'the mail server moves' --yes"],
    run: (call) => setPaused(call, true),
  },
  {
    path: 'consumers resume',
    summary: 'Deliver to a consumer again, beginning with what was kept',
    server: 'postgres',
    viaDashboard: true,
    act: 'asks',
    operands: [{ name: 'consumer' }],
    examples: ["consumers resume email --note 'it has moved' --yes"],
    run: (call) => setPaused(call, false),
  },
]

async function listConsumers(call: Call): Promise<ExitCode> {
  const { groups } = await (await deadLettersOf(call)).stats()
  const items = (await listedConsumers(call)).map((consumer) => {
    const ofIt = groups.filter(({ origin }) => origin === consumer.name)
    return { ...consumer, dead: ofIt.reduce((sum, { count }) => sum + count, 0) }
  })
  await call.out.result({ items }, (page) => {
    if (items.length === 0) {
      page.line`No consumer is known here: a relay makes it known when it starts.`
      return
    }
    page.table(
      ['consumer', 'behind', 'oldest', 'relays', 'slots', 'dead', 'seen', 'types'],
      items.map(({ name, lag, relays, heldSlots, dead, seenAt, types, abandonedAt, pause }) => [
        name,
        lag !== null && lag.events >= 10_000 ? '10000+' : lag?.events,
        shownDuration(lag?.oldestMs ?? null),
        relays?.length,
        heldSlots === undefined ? undefined : `${heldSlots}/64`,
        dead,
        seenAt &&
          `${shownDuration(Date.now() - seenAt.getTime())} ago${abandonedAt ? ', given up' : ''}${pause ? ', paused' : ''}`,
        types === null ? ['*'] : types,
      ]),
    )
  })
  return ExitCode.done
}

async function retireConsumer(call: Call): Promise<ExitCode> {
  const name = call.given.operand('consumer')
  const act = call.act()
  const isDiscarded = call.given.flag('discard')
  const consumer = (await everyConsumer(call)).find((each) => each.name === name)
  if (consumer === undefined) {
    throw new CliError(
      ExitCode.found,
      `There is no consumer "${name}": nothing was changed. See oncekey consumers list.`,
    )
  }
  if (consumer.relays.length > 0) {
    throw new CliError(
      ExitCode.found,
      `Consumer "${name}" is read by ${consumer.relays.length === 1 ? 'a relay' : `${consumer.relays.length} relays`} just now: nothing was changed. Stop them first.`,
    )
  }
  const log = await logOf(call)
  const { events } = await log.lag(name)
  await call.confirm(
    `Consumer "${name}" is forgotten, with its place in the log: ${events >= 10_000 ? '10,000 or more' : events} events that it has not had are never delivered to it${isDiscarded ? ', nor what it could not take' : ''}.`,
    name,
  )
  const left = await log.retire(name, { remaining: isDiscarded ? 'discard' : 'keep', ...act })
  await call.out.result({ consumer: name, result: 'done', ...left, ...act }, (page) => {
    page.line`Consumer "${name}" is forgotten (${act.actor}: ${act.note}).`
    if (left.kept > 0)
      page.line`${left.kept} deliveries that it could not take are kept: dead list --retired`
    if (left.discarded > 0)
      page.line`${left.discarded} deliveries that it could not take are discarded.`
  })
  return ExitCode.done
}

async function setPaused(call: Call, isPaused: boolean): Promise<ExitCode> {
  const name = call.given.operand('consumer')
  const act = call.act()
  await call.confirm(
    isPaused
      ? `No relay delivers to consumer "${name}" until it is resumed.`
      : `Relays deliver to consumer "${name}" again.`,
    name,
  )
  const consumers = await pausable(call)
  const outcome = await (isPaused ? consumers.pause(name, act) : consumers.resume(name, act))
  if (outcome === 'unknown') {
    throw new CliError(
      ExitCode.found,
      `There is no consumer "${name}": nothing was changed. See oncekey consumers list.`,
    )
  }
  const isDone = outcome !== 'already'
  await call.out.result({ consumer: name, result: outcome, ...call.onRecord() }, (page) => {
    page.line`Consumer "${name}" ${isDone ? 'is' : 'was already'} ${isPaused ? 'paused' : 'running'}.`
  })
  return isDone ? ExitCode.done : ExitCode.found
}

async function pausable(call: Call) {
  const api = call.dashboard()
  if (api !== undefined) return remoteConsumers(api, () => call.act().note)
  const { postgresConsumers } = await import('@oncekey/postgres')
  return postgresConsumers({ client: call.postgres(), schema: call.schema })
}

async function listedConsumers(call: Call): Promise<ListedConsumer[]> {
  const api = call.dashboard()
  if (api !== undefined) return await remoteConsumers(api, () => call.act().note).list()
  const log = await logOf(call)
  const items: ListedConsumer[] = []
  // One after the other, because each call reads the log, and there is no hurry.
  for (const consumer of await everyConsumer(call)) {
    const { events, oldestMs } = await log.lag(consumer.name)
    items.push({ ...consumer, lag: { events, oldestMs } })
  }
  return items
}

async function everyConsumer(call: Call) {
  const { postgresConsumers } = await import('@oncekey/postgres')
  return await postgresConsumers({ client: call.postgres(), schema: call.schema }).list()
}
