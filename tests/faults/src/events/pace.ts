import { setTimeout as sleep } from 'node:timers/promises'
import type { EventLog } from '@oncekey/core'
import type { FaultMaker } from '../fault-maker.ts'
import type { ConsumerPlan } from './consumed.ts'

/** Slows producers down, so that faults hit consumers that are busy. */
export interface Pace {
  /** Resolves when the slowest consumer is not far behind and few faults are due. */
  room(): Promise<void>
  /** The slowest consumer and how many events it had not passed, when that was last known. */
  slowest(): string
  stop(): void
}

export function keepPace(
  log: Pick<EventLog, 'lag'>,
  consumers: readonly ConsumerPlan[],
  faults: Pick<FaultMaker, 'pending' | 'mustBeMended'>,
): Pace {
  let behind = 0
  let slowest = 'nobody'
  let isStopped = false
  void watch()
  return {
    async room() {
      while (!isStopped && (behind > MOST_BEHIND || faults.pending() > MOST_PENDING)) {
        faults.mustBeMended()
        await sleep(50)
      }
    },
    slowest: () => `${slowest} is ${behind} events behind`,
    stop() {
      isStopped = true
    },
  }

  async function watch(): Promise<void> {
    while (!isStopped) {
      ;({ behind, slowest } = await furthest())
      await sleep(1_000)
    }
  }

  /**
   * If the log does not answer, producers continue: events are to be produced during its faults.
   */
  async function furthest(): Promise<{ behind: number; slowest: string }> {
    let most = { behind: 0, slowest: 'nobody' }
    for (const { name } of consumers) {
      const events = await log.lag(name).then(
        (lag) => lag.events,
        () => 0,
      )
      if (events > most.behind) most = { behind: events, slowest: name }
    }
    return most
  }
}

const MOST_BEHIND = 1_500
const MOST_PENDING = 8
