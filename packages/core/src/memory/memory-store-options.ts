import { OptionsError } from '../errors/errors.ts'

export type { MemoryTransaction } from './memory-transaction.ts'

/** Options of `memoryStore`. */
export interface MemoryStoreOptions {
  /**
   * How long an attempt owns its key: with `transaction` until it ends; with `lease` for a limited
   * time, as in a store that has no transaction around the handler.
   * @default 'transaction'
   */
  readonly mode?: 'transaction' | 'lease'
  /**
   * The most keys that are remembered; a full store throws `store-busy` and evicts nothing.
   * @default 100_000
   */
  readonly maxRecords?: number
  /**
   * How long a response is replayed; after that a request gets `result-gone`. Milliseconds.
   * @default 86_400_000 (24 h)
   */
  readonly resultRetentionMs?: number
  /**
   * How long a key is remembered once its attempt ended; after that, a request with the key runs
   * again. Milliseconds. @default 604_800_000 (7 d)
   */
  readonly keyRetentionMs?: number
  /**
   * The store's clock, milliseconds since 1970. @default a monotonic clock, which does not jump
   * when the system's time is set
   */
  readonly now?: () => number
}

/**
 * Validates the options of `memoryStore` and fills in their defaults. Throws {@link OptionsError}.
 */
export function resolveMemoryOptions(options: MemoryStoreOptions): Required<MemoryStoreOptions> {
  const resolved = {
    mode: options.mode ?? 'transaction',
    maxRecords: options.maxRecords ?? 100_000,
    resultRetentionMs: options.resultRetentionMs ?? 24 * 60 * 60 * 1000,
    keyRetentionMs: options.keyRetentionMs ?? 7 * 24 * 60 * 60 * 1000,
    now: options.now ?? (() => performance.timeOrigin + performance.now()),
  }
  if (resolved.mode !== 'transaction' && resolved.mode !== 'lease') {
    throw new OptionsError(
      `memoryStore(): \`mode\` is "transaction" or "lease", not ${JSON.stringify(resolved.mode)}.`,
    )
  }
  if (!Number.isSafeInteger(resolved.maxRecords) || resolved.maxRecords < 1) {
    throw new OptionsError('memoryStore(): `maxRecords` must be a whole number, at least 1.')
  }
  for (const name of ['resultRetentionMs', 'keyRetentionMs'] as const) {
    if (!(Number.isFinite(resolved[name]) && resolved[name] > 0)) {
      throw new OptionsError(
        `memoryStore(): \`${name}\` must be a number of milliseconds over 0, such as 86400000.`,
      )
    }
  }
  if (resolved.keyRetentionMs < resolved.resultRetentionMs) {
    throw new OptionsError(
      `memoryStore(): \`keyRetentionMs\` must not be shorter than \`resultRetentionMs\`, or the handler of a forgotten key runs ` +
        `again: write at least ${resolved.resultRetentionMs}.`,
    )
  }
  if (typeof resolved.now !== 'function') {
    throw new OptionsError('memoryStore(): `now` must be a function that returns milliseconds.')
  }
  return resolved
}
