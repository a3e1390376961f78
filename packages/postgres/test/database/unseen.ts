/**
 * SQL that ends a transaction in a way that the guard of a handler's transaction does not see: a
 * string that is continued on another line keeps its escapes, and the guard takes the second part
 * for a string of its own, which has none.
 */
export function unseen(text: string): string {
  return `select E'a'\n'\\''; ${text}; select ''`
}
