import { OncekeyError } from '@oncekey/core'

/** What a guarded transaction lets through, as each driver words it. */
export interface HandleRules {
  /** The methods that send SQL, each with how its text is found in the arguments. */
  readonly statements: Readonly<Record<string, (argument: unknown) => string | undefined>>
  /** The methods that would end the transaction or give its connection away. */
  readonly refused: readonly string[]
}

export interface TransactionHandle<Tx> {
  readonly handle: Tx
  /** From now on nothing reaches the connection, which may soon be in somebody else's transaction. */
  revoke(): void
  /** Until the statements under way are done, if there are any: some drivers take one at a time. */
  settled(): Promise<unknown> | undefined
}

/**
 * A driver's transaction as a handler may have it: everything works as the driver has it, except
 * that it cannot be ended, and that it is of no use once it was revoked.
 */
export function transactionHandle<Tx extends object>(
  transaction: Tx,
  rules: HandleRules,
): TransactionHandle<Tx> {
  let over = false
  const underWay = new Set<unknown>()

  const handle: Tx = new Proxy(transaction, {
    get(target, property) {
      if (over && !isStatement(property)) throw transactionOver()
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? guarded(target, property, value) : value
    },
    set(target, property, value) {
      if (over) throw transactionOver()
      return Reflect.set(target, property, value, target)
    },
  })

  return {
    handle,
    revoke() {
      over = true
    },
    settled: () => (underWay.size === 0 ? undefined : Promise.allSettled(underWay)),
  }

  // `this` stays the driver's object: its private fields are not on the proxy.
  function guarded(target: Tx, property: string | symbol, method: unknown): unknown {
    const call = method as (...args: unknown[]) => unknown
    return (...args: unknown[]): unknown => {
      const misuse = misuseOf(property, args)
      if (misuse !== undefined) return failed(property, args, misuse)
      const result = call.apply(target, args)
      if (isStatement(property) && result instanceof Promise) {
        const done = (): void => void underWay.delete(result)
        underWay.add(result)
        result.then(done, done)
      }
      return result === target ? handle : result
    }
  }

  function misuseOf(property: string | symbol, args: unknown[]): OncekeyError | undefined {
    if (over) return transactionOver()
    if (typeof property !== 'string') return undefined
    if (rules.refused.includes(property)) return transactionControl(`${property}()`)
    const text = rules.statements[property]?.(args[0])
    const control = text === undefined ? null : TRANSACTION_CONTROL.exec(text)
    return control === null ? undefined : transactionControl(control[0].trim().toUpperCase())
  }

  // A statement fails as the driver's do: late use is often not awaited, and `.catch` must see it.
  function failed(property: string | symbol, args: unknown[], error: OncekeyError): unknown {
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
}

// ROLLBACK TO and RELEASE end a savepoint, which is the handler's own business.
const TRANSACTION_CONTROL =
  /^[\s;]*(?:begin|commit|end|abort|start\s+transaction|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i

function transactionOver(): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'The transaction ended with the response, and its connection may serve another request by now. ' +
      'Await everything that writes before responding, or use the pool for what comes after.',
  )
}

function transactionControl(what: string): OncekeyError {
  return new OncekeyError(
    'transaction-control',
    `${what} on the transaction of an idempotent request: Oncekey commits it with the response. ` +
      'To undo the writes, throw or answer with a 4xx or 5xx status; to undo a part of them, use ' +
      'SAVEPOINT and ROLLBACK TO; for a transaction of your own, take a connection from the pool.',
  )
}

/** pg's Query, Cursor and QueryStream: objects that are given their results rather than return them. */
function isSubmittable(argument: unknown): boolean {
  return typeof (argument as { submit?: unknown } | undefined)?.submit === 'function'
}
