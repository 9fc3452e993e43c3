// The floors, from the ground up: a folder imports only folders on earlier rows, and itself.

export const floors: readonly (readonly string[])[] = [
  ["base"],
  ["tensor", "storage"],
  ["formats"],
  ["graph"],
  ["runtime", "nn"],
  ["text"],
  ["models"],
  ["hooks"],
  ["activations"],
  ["dictionaries"],
  ["evidence"],
  ["analysis", "circuits"],
  ["explain", "lab"],
  ["workspace"],
  ["pipelines"],
  ["api"],
  ["mcp", "server"],
  ["cli"],
];
