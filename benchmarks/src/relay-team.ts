import { setTimeout } from 'node:timers/promises'
import { SLOTS } from '@oncekey/core'
import { type DurablePostgres, onClient } from './durable-postgres.ts'
import { fillEvents } from './filled-events.ts'
import { sum } from './median.ts'
import { cpuMicrosBetween, postgresCpu } from './postgres-cpu.ts'
import type { RelayRunner, RelayRunnerOptions } from './programs/relay-runner.ts'
import type { Program, Programs } from './programs.ts'

/** Relays that share a consumer's work, each in a process of its own. */
export interface RelayTeam {
  /** Adds a backlog and lets the relays read it. */
  drain(events: number): Promise<Drained>
  stop(): Promise<void>
}

export interface Drained {
  /** The time until the last event was handled. */
  readonly seconds: number
  /** Processor time of all relays. Microseconds. */
  readonly client: number
  /** Processor time of the whole server. Microseconds. */
  readonly server: number
}

export async function startTeam(
  programs: Programs,
  postgres: DurablePostgres,
  { relays, ...options }: RelayRunnerOptions & { readonly relays: number },
): Promise<RelayTeam> {
  const team: Program<RelayRunner>[] = []
  for (let n = 0; n < relays; n += 1) {
    const program = await programs.start<RelayRunner>('relay-runner')
    await program.call('start', options)
    team.push(program)
  }
  let filled = 0

  return {
    async drain(events) {
      await onClient(options.url, async (client) => {
        await fillEvents(client, { from: filled, count: events })
        filled += events
        while (!(await isShared(client, relays))) await setTimeout(20)
      })
      return drained(team, postgres, events)
    },
    async stop() {
      await Promise.all(team.map((program) => program.stop()))
    },
  }
}

async function drained(
  team: readonly Program<RelayRunner>[],
  { server }: DurablePostgres,
  events: number,
): Promise<Drained> {
  const client = await totalCpu(team)
  const before = postgresCpu(server.pid())
  const openedAt = Math.min(...(await Promise.all(team.map((each) => each.call('openGate')))))
  for (;;) {
    const progress = await Promise.all(team.map((each) => each.call('progress')))
    const handled = sum(progress.map((each) => each.handled))
    if (handled > events) throw new Error(`${handled} events were handled, not ${events}`)
    if (handled < events) {
      await setTimeout(50)
      continue
    }
    const postgresMicros = cpuMicrosBetween(before, postgresCpu(server.pid()))
    await Promise.all(team.map((each) => each.call('closeGate')))
    return {
      seconds: (Math.max(...progress.map(({ lastAt }) => lastAt)) - openedAt) / 1000,
      client: (await totalCpu(team)) - client,
      server: postgresMicros ?? Number.NaN,
    }
  }
}

async function totalCpu(team: readonly Program<RelayRunner>[]): Promise<number> {
  return sum(await Promise.all(team.map((each) => each.call('cpuMicros'))))
}

/** Whether every slot is held, and each relay has as many as the others. */
async function isShared(
  client: Parameters<Parameters<typeof onClient>[1]>[0],
  relays: number,
): Promise<boolean> {
  const { rows } = await client.query<{ slots: number }>(
    'select count(*)::int as slots from oncekey.cursors where relay is not null group by relay',
  )
  return rows.length === relays && rows.every(({ slots }) => slots === SLOTS / relays)
}
