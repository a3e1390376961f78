import { type AdapterBehaviour, adapterBehaviours, runAdapterBehaviour } from '@oncekey/conformance'
import { describe, expect, test } from 'vitest'
import type { BrokenAdapter } from './broken-adapters/broken-adapter.ts'
import { brokenAnswers } from './broken-adapters/of-answers.ts'
import { brokenBodies } from './broken-adapters/of-bodies.ts'
import { brokenEnds } from './broken-adapters/of-ends.ts'
import { brokenHangUps } from './broken-adapters/of-hang-ups.ts'
import { brokenHeaders } from './broken-adapters/of-headers.ts'
import { brokenOptions } from './broken-adapters/of-options.ts'
import { brokenRequests } from './broken-adapters/of-requests.ts'
import { plainAdapter } from './broken-adapters/plain-adapter.ts'
import { rightSteps } from './broken-adapters/steps.ts'
import { testedStores } from './broken-adapters/tested-stores.ts'

const brokenAdapters = [
  ...brokenRequests,
  ...brokenOptions,
  ...brokenAnswers,
  ...brokenHeaders,
  ...brokenEnds,
  ...brokenBodies,
  ...brokenHangUps,
]
const behaviours = adapterBehaviours().flatMap((group) =>
  group.behaviours.map((behaviour) => ({ title: `${group.title}: ${behaviour.title}`, behaviour })),
)

describe('the adapter contract rejects an adapter that', () => {
  for (const broken of brokenAdapters) {
    test(broken.fault, { timeout: 60_000 }, async () => {
      const named = behaviours.filter(({ title }) => isNamedBy(broken, title))
      const outcomes = await Promise.all(
        named.map(
          async ({ title, behaviour }) => [title, await tryOne(behaviour, broken)] as const,
        ),
      )
      expect(outcomes.filter(([, outcome]) => outcome === 'passed')).toEqual([])
      expect(outcomes.map(([, outcome]) => outcome)).toContain('failed')
      for (const meant of broken.caughtBy) {
        expect(
          named.filter(({ title }) => isMeant(meant, title)),
          `${meant}`,
        ).not.toEqual([])
      }
    })
  }
})

describe('every behaviour of the adapter contract', () => {
  test('is failed by one of these adapters, and so can fail', () => {
    const titles = behaviours.map(({ title }) => title)
    expect(
      titles.filter((title) => !brokenAdapters.some((broken) => isNamedBy(broken, title))),
    ).toEqual([])
  })
})

function isNamedBy({ caughtBy }: BrokenAdapter, title: string): boolean {
  return caughtBy.some((meant) => isMeant(meant, title))
}

function isMeant(meant: string | RegExp, title: string): boolean {
  return typeof meant === 'string' ? title.startsWith(meant) : meant.test(title)
}

/** An adapter that does not respond within this time has failed, too. Milliseconds. */
const LONGEST_MS = 1_000

async function tryOne(
  behaviour: AdapterBehaviour,
  { mode = 'transaction', steps }: BrokenAdapter,
): Promise<'passed' | 'failed' | string> {
  const store = testedStores[['transaction', 'lease', 'no transactions'].indexOf(mode)]
  const serve = plainAdapter(() => ({ ...rightSteps, ...steps() }))
  const tried = runAdapterBehaviour(behaviour, serve, () =>
    (store as typeof store & object).create(),
  )
  const outcome = tried.then(
    (reason) => (reason === undefined ? 'passed' : `skipped: ${reason}`),
    () => 'failed',
  )
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<'failed'>((resolve) => {
    timer = setTimeout(() => resolve('failed'), LONGEST_MS)
  })
  try {
    return await Promise.race([outcome, tooLong])
  } finally {
    clearTimeout(timer)
  }
}
