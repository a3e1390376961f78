import type { Page } from '../output/page.ts'
import { shellWord } from '../output/shell-word.ts'
import type { Given } from './given.ts'

/** `--limit` and `--page` in the form that the packages take. */
export function pageOf(given: Given): { readonly limit: number; readonly after?: string } {
  const after = given.text('page')
  return { limit: given.whole('limit', 1, 1_000) ?? 50, ...(after !== undefined && { after }) }
}

/** If there is another page, says how to get it. */
export function tellNext(page: Page, next: string | undefined): void {
  if (next === undefined) return
  page.blank()
  page.line`There may be more: the same with --page ${shellWord(next)}`
}
