import type { Begun, Engine, EngineRequest } from '@oncekey/core'
import { createEngine, memoryStore } from '@oncekey/core'
import type { Steps } from './steps.ts'

/** An adapter with one fault, and the behaviours that must detect it. */
export interface BrokenAdapter {
  readonly fault: string
  /** The store's. @default both */
  readonly mode?: 'transaction' | 'lease' | 'no transactions'
  /** The faulty steps; created anew for every site. */
  steps(): Partial<Steps>
  /** Titles as `group: behaviour`, or their beginnings. Every matching behaviour has to fail. */
  readonly caughtBy: readonly (string | RegExp)[]
}

/** A run without a claim, as a bypass would start it. */
export function runUnclaimed(
  engine: Engine<unknown>,
  request: EngineRequest,
): Promise<Begun<unknown>> {
  const { mode } = engine.options.store.capabilities
  return createEngine({ store: memoryStore({ mode }) }).begin({
    ...request,
    header: (name) => (name === 'idempotency-key' ? ['unclaimed'] : request.header(name)),
  })
}

/** The same request under another key. */
export function withKey(request: EngineRequest, change: (key: string) => string): EngineRequest {
  return {
    ...request,
    header(name) {
      const lines = request.header(name)
      return name === 'idempotency-key' ? lines.map(change) : lines
    },
  }
}

/** The same request with other lines of one header. */
export function withHeader(
  request: EngineRequest,
  name: string,
  lines: readonly string[],
): EngineRequest {
  return { ...request, header: (asked) => (asked === name ? lines : request.header(asked)) }
}

/** The object with these members replaced. */
export function changed<Value extends object>(value: Value, members: Partial<Value>): Value {
  return new Proxy(value, {
    get: (target, name) => Reflect.get(name in members ? members : target, name),
  })
}
