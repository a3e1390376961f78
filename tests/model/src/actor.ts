import { type Answer, createEngine } from '@oncekey/core'
import { type Fencing, leaseStore } from './lease-store.ts'
import type { World } from './world.ts'

export interface ActorOptions {
  readonly fencing: Fencing
  readonly whenUnknown: 'retake' | 'hold'
  /** Whether its handler writes and then answers 500. */
  readonly fails: boolean
}

/**
 * Runs one request in a process of its own, through the real engine. Resolves when its client has
 * an answer.
 */
export async function act(world: World, actor: number, options: ActorOptions): Promise<void> {
  const engine = createEngine({
    store: leaseStore(world, actor, options.fencing),
    whenUnknown: options.whenUnknown,
    // So long that a lease ends only when the search decides it.
    leaseMs: LONG_MS,
    handlerTimeoutMs: LONG_MS,
  })
  const begun = await engine.begin({
    method: 'POST',
    target: '/orders',
    header: (name) => (name === 'idempotency-key' ? ['one'] : []),
    scope: 'all',
    fingerprintInput: () => ({
      method: 'POST',
      target: '/orders',
      contentType: undefined,
      body: { kind: 'none' },
    }),
  })
  if (begun.kind !== 'run') return answered(begun)
  const { run } = begun
  let status = 201
  try {
    const tx = await run.context.transaction()
    await tx.write()
    if (options.fails) status = 500
  } catch {
    status = 500
  }
  const body = `${status} of actor ${actor}`
  const verdict = await run.complete({
    status,
    headers: [],
    body: new TextEncoder().encode(body),
  })
  if (verdict.kind === 'send') world.answers.set(actor, body)
  else if (verdict.kind === 'failure') throw verdict.error
  else answered(verdict)

  function answered(answer: Answer): void {
    const text = new TextDecoder().decode(answer.response.body)
    world.answers.set(actor, answer.kind === 'replay' ? text : answer.code)
  }
}

const LONG_MS = 1_000_000_000
