/** A line of the design's budgets, and its measured value. */
export interface Budget {
  readonly what: string
  readonly bound: 'at least' | 'at most'
  readonly limit: number
  readonly measured: number
}

export function isMet({ bound, limit, measured }: Budget): boolean {
  return bound === 'at least' ? measured >= limit : measured <= limit
}

/** `what: 0.87, budget at least 0.92: missed by 0.05`. */
export function budgetLine(budget: Budget): string {
  const { what, bound, limit, measured } = budget
  const verdict = isMet(budget) ? 'met' : `missed by ${text(Math.abs(measured - limit))}`
  return `${what}: ${text(measured)}, budget ${bound} ${text(limit)}: ${verdict}`
}

const text = (value: number) =>
  Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(value < 10 ? 2 : 0)
