import { OncekeyError } from '@oncekey/core'

/** What a guarded transaction lets through, as each driver words it. */
export interface HandleRules {
  /** The methods that send SQL, each with how its text is found in the arguments. */
  readonly statements: Readonly<Record<string, TextOf>>
  /** The methods that would end the transaction or give its connection away. */
  readonly refused: readonly string[]
  /** Where the transaction is itself a function: how SQL is found in what it is called with. */
  readonly called?: TextOf
  /** The methods that hand a transaction inside of this one to a callback: it ends with this one. */
  readonly nested?: readonly string[]
  /** Where statements are sent later than they are made: calls `check` when one is about to be. */
  readonly lazy?: (statement: unknown, check: () => void) => void
  /**
   * The transaction, with `check` called before anything that was built with it is sent, and `look` with
   * its text, which says what is wrong with that.
   */
  readonly checked?: (
    transaction: object,
    check: () => void,
    look: (text: string | undefined) => OncekeyError | undefined,
  ) => object
}

type TextOf = (argument: unknown) => string | undefined

export interface TransactionHandle<Tx> {
  readonly handle: Tx
  /** From now on nothing reaches the connection, which may soon be in somebody else's transaction. */
  revoke(): void
  /**
   * Whether a statement went out that can have ended the transaction: one whose text holds the word for
   * it, wherever, or whose text was not to be seen. `false` is certain, and `true` is for the server to judge.
   */
  mayHaveEnded(): boolean
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
  let mayHaveEnded = false
  const underWay = new Set<unknown>()

  return {
    handle: guard((rules.checked?.(transaction, check, looked) ?? transaction) as Tx),
    revoke() {
      over = true
    },
    mayHaveEnded: () => mayHaveEnded,
    settled: () => (underWay.size === 0 ? undefined : Promise.allSettled(underWay)),
  }

  function guard<T extends object>(guarded: T): T {
    const handle: T = new Proxy(guarded, {
      get(target, property) {
        if (over && !isStatement(property)) throw transactionOver()
        const value: unknown = Reflect.get(target, property, target)
        return typeof value === 'function' ? method(target, property, value) : value
      },
      set(target, property, value) {
        if (over) throw transactionOver()
        return Reflect.set(target, property, value, target)
      },
      apply(target, _, args: unknown[]) {
        const call = target as (...args: unknown[]) => unknown
        const misuse = rules.called === undefined ? undefined : looked(rules.called(args[0]))
        if (rules.lazy !== undefined) return later(call(...args), misuse)
        check(misuse)
        return call(...args)
      },
    })
    return handle

    // `this` stays the driver's object: its private fields are not on the proxy.
    function method(target: T, property: string | symbol, value: unknown): unknown {
      const call = value as (...args: unknown[]) => unknown
      return (...args: unknown[]): unknown => {
        const misuse = misuseOf(property, args)
        if (rules.lazy !== undefined && isStatement(property)) {
          return later(call.apply(target, args), misuse)
        }
        if (misuse !== undefined) return failed(property, args, misuse)
        const result = call.apply(target, isNested(property) ? args.map(inside) : args)
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
    if (over) throw transactionOver()
    if (misuse !== undefined) throw misuse
  }

  function later(statement: unknown, misuse: OncekeyError | undefined): unknown {
    rules.lazy?.(statement, () => check(misuse))
    return statement
  }

  function inside(argument: unknown): unknown {
    if (typeof argument !== 'function') return argument
    return (transaction: object) => argument(guard(transaction))
  }

  function misuseOf(property: string | symbol, args: unknown[]): OncekeyError | undefined {
    if (over) return transactionOver()
    if (typeof property !== 'string') return undefined
    if (rules.refused.includes(property)) return transactionControl(`${property}()`)
    const textOf = isStatement(property) ? rules.statements[property] : undefined
    return textOf === undefined ? undefined : looked(textOf(args[0]))
  }

  /** What is wrong with a statement by its first words; and whether any of them may end the transaction. */
  function looked(text: string | undefined): OncekeyError | undefined {
    if (text === undefined || ENDS.test(text)) mayHaveEnded = true
    return controlIn(text)
  }

  // A statement fails as the driver's do: late use is often not awaited, and `.catch` must see it.
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

/** What is wrong with a statement that would end the transaction or begin another. */
export function controlIn(text: string | undefined): OncekeyError | undefined {
  const control = text === undefined ? null : TRANSACTION_CONTROL.exec(text)
  return control === null ? undefined : transactionControl(control[0].trim().toUpperCase())
}

// ROLLBACK TO and RELEASE end a savepoint, which is the handler's own business.
const TRANSACTION_CONTROL =
  /^[\s;]*(?:begin|commit|end|abort|start\s+transaction|prepare\s+transaction|rollback(?!\s+(?:(?:work|transaction)\s+)?to\b))\b/i

/** No statement ends a transaction without one of these words. Many others have them, too. */
const ENDS = /\b(?:commit|end|rollback|abort|prepare)\b/i

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
