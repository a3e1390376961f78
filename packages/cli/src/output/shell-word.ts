/**
 * A word as a shell takes it, for a command that a person may copy: whatever is in it is one
 * argument.
 */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
