import type { OncekeyError } from '@oncekey/core'

/** Which members of a driver's transaction the guard checks or refuses, by the driver's names. */
export interface HandleRules {
  /** The methods that send SQL, each with how to find its text in the arguments. */
  readonly statements: Readonly<Record<string, TextOf>>
  /** The methods that are refused: they would end the transaction or give its connection away. */
  readonly refused: readonly string[]
  /**
   * The methods that pass a nested transaction to a callback. The nested one is revoked with this
   * one.
   */
  readonly nested?: readonly string[]
  /**
   * For statements that are sent later than they are created, and whose text is known only then:
   * calls `check` with the text before one is sent, `opened` with how to close what it opens, and
   * `lost` when it fails with the connection. `sent` gets how to fail it, for a driver that forgets
   * it when the connection is lost; what that returns is called when it is answered. `made` is the
   * call that created the statement.
   */
  readonly lazy?: (
    statement: unknown,
    check: (text: Text) => void,
    opened: (close: Close) => void,
    lost: (reason: unknown) => void,
    sent: (fail: (error: Error) => void) => () => void,
    made: Call,
  ) => void
  /**
   * For a library that builds queries and sends them later: makes a transaction that calls `check`
   * when a query built with it is about to be sent, passes the query's text to `look`, which
   * returns the error if it must not be sent, and calls `sending` right before it is sent.
   */
  readonly checked?: (
    transaction: object,
    check: () => void,
    look: (text: string | undefined) => OncekeyError | undefined,
    sending: () => void,
  ) => object
}

/** A call of a method of a transaction; without a name it is a call of the transaction itself. */
export interface Call {
  readonly transaction: object
  readonly name?: string | symbol
  readonly args: readonly unknown[]
}

/**
 * Closes a cursor or stream. Returns a promise if the next statement has to wait for the closing.
 */
export type Close = () => Promise<void> | void

/** Finds the text of a statement in the arguments of its call. */
type TextOf = (...args: unknown[]) => Text

/** The text of a statement; undefined if nothing of it can be seen. */
export type Text = string | PartedText | undefined

/** A text that was put together from parts. A part that cannot be seen is ` $1 ` in it. */
export interface PartedText {
  readonly text: string
  readonly isWhole: boolean
}
