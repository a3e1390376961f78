export interface Operand {
  /** `key`, shown as `<key>`. */
  readonly name: string
  readonly optional?: boolean
  readonly many?: boolean
}

export interface Option {
  /** The name of the option's value in the help; an option without one is a switch. */
  readonly value?: string
  readonly short?: string
  readonly many?: boolean
  /** The values there are, for checking and completion. */
  readonly choices?: readonly string[]
  readonly help: string
}
