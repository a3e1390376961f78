export interface Operand {
  /** `key`, shown as `<key>`. */
  readonly name: string
  readonly optional?: boolean
  readonly many?: boolean
}

export interface Option {
  /** What stands behind it; without, it is a switch. */
  readonly value?: string
  readonly short?: string
  readonly many?: boolean
  /** The values there are, for checking and completion. */
  readonly choices?: readonly string[]
  readonly help: string
}
