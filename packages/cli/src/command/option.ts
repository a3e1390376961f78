export interface Operand {
  /** The operand's name, such as `key`; the help shows `<key>`. */
  readonly name: string
  readonly optional?: boolean
  readonly many?: boolean
}

export interface Option {
  /** The name of the option's value in the help; missing for an option that takes no value. */
  readonly value?: string
  readonly short?: string
  readonly many?: boolean
  /** The allowed values, for checking and completion. */
  readonly choices?: readonly string[]
  readonly help: string
}
