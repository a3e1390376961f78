import { logBehaviours, runLogBehaviour } from '@oncekey/conformance'
import { describe, expect, test } from 'vitest'
import type { BrokenLog } from './broken-logs/broken-log.ts'
import { memoryLogFixture } from './broken-logs/memory-fixture.ts'
import { ofActs, ofPausing, ofRedrives } from './broken-logs/of-acts.ts'
import { ofDeadLetters } from './broken-logs/of-dead-letters.ts'
import { ofDeliveries } from './broken-logs/of-deliveries.ts'
import { ofHolding } from './broken-logs/of-holding.ts'
import { ofLeaving } from './broken-logs/of-leaving.ts'
import { ofLives } from './broken-logs/of-lives.ts'
import { ofReading } from './broken-logs/of-reading.ts'
import { ofRetiring } from './broken-logs/of-retiring.ts'
import { ofSubscriptions } from './broken-logs/of-subscriptions.ts'

const behaviours = logBehaviours().flatMap((group) =>
  group.behaviours.map((behaviour) => ({ title: `${group.title}: ${behaviour.title}`, behaviour })),
)
const everFailed = new Set<string>()

describe('the log contract rejects a log that', () => {
  const all = [
    ...ofReading,
    ...ofSubscriptions,
    ...ofHolding,
    ...ofLeaving,
    ...ofLives,
    ...ofDeliveries,
    ...ofDeadLetters,
    ...ofRetiring,
    ...ofRedrives,
    ...ofPausing,
    ...ofActs,
  ]
  for (const broken of all) {
    test(broken.fault, { timeout: 60_000 }, async () => {
      const failed = await failedBy(broken)
      expect(failed).toEqual(expect.arrayContaining([...broken.caughtBy]))
    })
  }
})

describe('every behaviour of the log contract', () => {
  test('is failed by one of these logs, and so can fail', () => {
    expect(behaviours.map(({ title }) => title).filter((title) => !everFailed.has(title))).toEqual(
      [],
    )
  })
})

async function failedBy(broken: BrokenLog): Promise<string[]> {
  const failed: string[] = []
  await Promise.all(
    behaviours.map(async ({ title, behaviour }) => {
      const fixture = memoryLogFixture(broken.replaced)
      const create = () => ({
        ...fixture,
        ...(broken.open === undefined ? {} : { open: broken.open(fixture.log) }),
      })
      const hangs = new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error('It hangs.')), 5_000).unref()
      })
      try {
        await Promise.race([runLogBehaviour(behaviour, create), hangs])
      } catch {
        failed.push(title)
        everFailed.add(title)
      }
    }),
  )
  return failed
}
