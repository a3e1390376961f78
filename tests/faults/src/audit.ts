import { inspect } from 'node:util'
import { waitFor } from '@oncekey/test-servers'
import { type Ledger, receiptIn } from './ledger.ts'
import { limits } from './limits.ts'
import type { CampaignOptions } from './options.ts'
import { orderOf, outcomeOf } from './order.ts'
import type { Shopper } from './shopper.ts'
import type { Stage } from './stage.ts'

/**
 * Runs after all faults are mended. It requests every order once more; the answer must equal all
 * earlier ones, and the order's effects are looked up in the books. Returns how many orders had no
 * answer before.
 */
export async function audit(
  options: CampaignOptions,
  stage: Stage,
  clients: Shopper,
  book: Ledger,
): Promise<number> {
  const settledLater = await answerAll(options, clients, book)
  book.conclude(stage.database.mayLose)
  await compareBooks(options, stage, book)
  for (const { crashes } of stage.servers) book.findings.crashes.push(...crashes)
  await lookForLeftOver(stage, book)
  return settledLater
}

async function answerAll(
  { seed, orders, concurrency }: CampaignOptions,
  clients: Shopper,
  book: Ledger,
): Promise<number> {
  let settledLater = 0
  let next = 1
  const ask = async (): Promise<void> => {
    while (next <= orders) {
      const order = orderOf(seed, next++)
      if (!book.first.has(order.number)) settledLater++
      // After the longest hold, every other holder of the key is gone or has lost the key. The
      // additional time is for a busy machine.
      let instead: string | undefined
      const answer = await clients.settle(order, limits.longestHoldMs + 15_000, (refused) => {
        instead = refused
      })
      // What came instead says whether the key is stuck or the whole shop was away.
      if (answer === undefined) book.findings.stuckKeys.push(`${order.key}: ${instead}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, ask))
  return settledLater
}

async function compareBooks(
  { seed, orders }: CampaignOptions,
  { database, gateway }: Stage,
  { first, findings }: Ledger,
): Promise<void> {
  const effects = await database.effects()
  const events = await database.events()
  const records = await database.records?.()
  for (let number = 1; number <= orders; number++) {
    const { key, kind } = orderOf(seed, number)
    const written = effects.get(key) ?? []
    const emitted = events.get(key) ?? []
    effects.delete(key)
    const answer = first.get(number)
    const receipt = answer === undefined ? undefined : receiptIn(answer.body)
    const expected = outcomeOf(kind).effects

    if (written.length > expected) findings.doubleEffects.push(`${key} (${kind}): ${written}`)
    if (answer !== undefined && expected === 1 && !written.includes(`${receipt}`)) {
      findings.lostSuccesses.push(`${key}: a client has ${receipt}, there is ${written}`)
    }
    if (`${written.toSorted()}` !== `${emitted.toSorted()}`) {
      findings.eventsUnlikeEffects.push(`${key}: ${written} took effect, ${emitted} was emitted`)
    }
    if (answer !== undefined && records !== undefined && !records.has(answer.body)) {
      findings.answersUnlikeRecord.push(`${key}: ${answer.body} is on no record`)
    }
    const charges = gateway.charges.get(key)?.size ?? 0
    if (charges > 1) findings.doubleCharges.push(`${key}: ${charges} keys`)
  }
  for (const [key, written] of effects) findings.strayEffects.push(`${key}: ${written}`)
}

async function lookForLeftOver({ database, servers }: Stage, { findings }: Ledger): Promise<void> {
  const look = async (): Promise<string[]> => {
    const borrowed = await Promise.all(
      servers.map(async (server) => {
        const count = await server.leftOver()
        return count === 0 ? [] : [`${count} connections of ${server.name}`]
      }),
    )
    return [...borrowed.flat(), ...(await database.leftOver())]
  }
  let last: string[] = []
  try {
    await waitFor(
      async () => {
        last = await look()
        return last.length === 0
      },
      { what: 'nothing to be left over', timeoutMs: limits.longestHoldMs + 5_000, intervalMs: 200 },
    )
  } catch (error) {
    findings.leftOver.push(...(last.length > 0 ? last : [inspect(error)]))
  }
}
