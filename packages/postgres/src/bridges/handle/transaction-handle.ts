import type { OncekeyError } from '@oncekey/core'
import { controlInText } from './control-in-text.ts'
import type { Call, Close, HandleRules, Text } from './handle-rules.ts'
import { nestedTransactions } from './nested-transactions.ts'
import { closeStream, isSubmittable } from './open-streams.ts'
import { connectionLost, transactionControl, transactionOver } from './transaction-errors.ts'

export interface TransactionHandle<Tx> {
  readonly handle: Tx
  /**
   * From this call on nothing reaches the connection, which may soon be in another transaction. If
   * the connection was lost while the handler ran, `loss` is the reason.
   */
  revoke(loss?: unknown): void
  /**
   * Called when the transaction is about to end. From then on, queries that the handler gave to the
   * library earlier and that the library has not sent yet are refused too.
   */
  end(): void
  /** Why the connection was lost while the handler ran; undefined if it was not lost. */
  loss(): { readonly reason: unknown } | undefined
  /**
   * Whether a statement may have ended the transaction: its text contains a word that can do so, or
   * its text could not be seen. `false` is certain; on `true` the server is asked.
   */
  mayHaveEnded(): boolean
  /**
   * Resolves when the pending statements are done; undefined if there are none. Needed for drivers
   * that accept one statement at a time.
   */
  pendingQueries(): Promise<unknown> | undefined
  /**
   * Closes the cursors and streams that the handler left open. Each occupies the connection until
   * its end, so a COMMIT queued behind it would never be sent. The result is awaited.
   */
  closeStreams(): Promise<unknown> | undefined
  /**
   * Resolves when the driver sends nothing by itself for a nested transaction; undefined if it does
   * not. To be called after {@link revoke}, and before anything that ends the transaction.
   */
  nestedQuiet(): Promise<void> | undefined
}

/**
 * Guards a driver's transaction for a handler: everything works as in the driver, except that the
 * handler cannot end the transaction and that every use fails once the guard is revoked.
 */
export function transactionHandle<Tx extends object>(
  transaction: Tx,
  rules: HandleRules,
  /**
   * For a driver that sends statements of its own for a nested transaction, past this guard:
   * whether this error means a lost connection.
   */
  isLost?: (error: unknown) => boolean,
): TransactionHandle<Tx> {
  let over: (() => OncekeyError) | undefined
  let loss: { readonly reason: unknown } | undefined
  let mayHaveEnded = false
  let isEnding = false
  const underWay = new Set<unknown>()
  const open = new Set<Close>()
  const unanswered = new Set<(error: Error) => void>()
  const nested =
    isLost &&
    nestedTransactions(
      () => over?.(),
      (error) => isLost(error) && lost(error),
    )

  return {
    handle: guard((rules.checked?.(transaction, check, looked, sending) ?? transaction) as Tx),
    revoke: (reason) => (reason === undefined ? revoke() : lost(reason)),
    end() {
      revoke()
      isEnding = true
    },
    loss: () => loss,
    mayHaveEnded: () => mayHaveEnded,
    pendingQueries: () => (underWay.size === 0 ? undefined : Promise.allSettled(underWay)),
    closeStreams() {
      const closing = [...open].map((close) => close()).filter((end) => end !== undefined)
      open.clear()
      return closing.length === 0 ? undefined : Promise.all(closing)
    },
    nestedQuiet: () => nested?.quiet(),
  }

  function revoke(): void {
    over ??= transactionOver
  }

  function lost(reason: unknown): void {
    loss ??= { reason }
    over ??= () => connectionLost(reason)
    nested?.lost(connectionLost(reason))
    for (const fail of unanswered) fail(connectionLost(reason))
  }

  function sent(fail: (error: Error) => void): () => void {
    unanswered.add(fail)
    return () => void unanswered.delete(fail)
  }

  function guard<T extends object>(guarded: T): T {
    const handle: T = new Proxy(guarded, {
      get(target, property) {
        if (over !== undefined && !isStatement(property)) throw over()
        const value: unknown = Reflect.get(target, property, target)
        return typeof value === 'function' ? method(target, property, value) : value
      },
      set(target, property, value) {
        if (over !== undefined) throw over()
        return Reflect.set(target, property, value, target)
      },
      apply(target, _, args: unknown[]) {
        const call = target as (...args: unknown[]) => unknown
        if (rules.lazy !== undefined) return later(call(...args), { transaction: target, args })
        check()
        return call(...args)
      },
    })
    return handle

    // `this` must be the driver's object, because the proxy lacks the object's private fields.
    function method(target: T, property: string | symbol, value: unknown): unknown {
      const call = value as (...args: unknown[]) => unknown
      return (...args: unknown[]): unknown => {
        if (rules.lazy !== undefined && isStatement(property)) {
          return later(call.apply(target, args), { transaction: target, name: property, args })
        }
        const misuse = misuseOf(property, args)
        if (misuse !== undefined) return failed(property, args, misuse)
        if (isNested(property)) return inner(call.bind(target), args)
        const result = call.apply(target, args)
        const [stream] = args
        if (isStatement(property) && isSubmittable(stream)) open.add(() => closeStream(stream))
        if (isStatement(property) && result instanceof Promise) {
          const done = (): void => void underWay.delete(result)
          underWay.add(result)
          result.then(done, done)
        }
        return result === target ? handle : result
      }
    }
  }

  function check(misuse?: OncekeyError): void {
    if (over !== undefined) throw over()
    if (misuse !== undefined) throw misuse
  }

  function sending(): void {
    if (isEnding || loss !== undefined) check()
  }

  function later(statement: unknown, made: Call): unknown {
    rules.lazy?.(
      statement,
      (text) => check(over === undefined ? looked(text) : undefined),
      (close) => open.add(close),
      lost,
      sent,
      made,
    )
    return statement
  }

  function inner(call: (...args: unknown[]) => unknown, args: unknown[]): unknown {
    type Callback = (transaction: object) => unknown
    const guarded = (wrap: (callback: Callback) => Callback): unknown[] =>
      args.map((argument) =>
        typeof argument === 'function'
          ? wrap((transaction) => argument(guard(transaction)))
          : argument,
      )
    if (nested === undefined) return call(...guarded((callback) => callback))
    return nested.run((wrap) => call(...guarded(wrap)))
  }

  function misuseOf(property: string | symbol, args: unknown[]): OncekeyError | undefined {
    if (over !== undefined) return over()
    if (typeof property !== 'string') return undefined
    if (rules.refused.includes(property)) return transactionControl(`${property}()`)
    const textOf = isStatement(property) ? rules.statements[property] : undefined
    return textOf === undefined ? undefined : looked(textOf(...args))
  }

  /**
   * Returns the error for a text that must not be sent, because a statement in it ends the
   * transaction, and notes whether it may end it all the same.
   */
  function looked(seen: Text): OncekeyError | undefined {
    const { text, isWhole } =
      typeof seen === 'object' ? seen : { text: seen ?? '', isWhole: seen !== undefined }
    const control = controlInText(text)
    if (control !== undefined) return transactionControl(control)
    if (!isWhole || ENDS.test(text)) mayHaveEnded = true
    return undefined
  }

  // Fails in the driver's way, by a rejected promise for example: late use is often not awaited,
  // and a `.catch` of the handler has to see the error.
  function failed(property: string | symbol, args: unknown[], error: OncekeyError): unknown {
    if (isNested(property)) return Promise.reject(error)
    const callback = args.find((argument) => typeof argument === 'function')
    if (callback !== undefined) {
      process.nextTick(callback as (error: Error) => void, error)
      return undefined
    }
    if (isStatement(property) && !isSubmittable(args[0])) return Promise.reject(error)
    throw error
  }

  function isStatement(property: string | symbol): boolean {
    return typeof property === 'string' && Object.hasOwn(rules.statements, property)
  }

  function isNested(property: string | symbol): boolean {
    return typeof property === 'string' && rules.nested?.includes(property) === true
  }
}

/** Every text that ends a transaction contains one of these words; so do many that do not. */
const ENDS = /\b(?:commit|end|rollback|abort|prepare)\b/i
