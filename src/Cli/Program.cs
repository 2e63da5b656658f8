using Patroni.Raft.Cli;

return await CommandLine.RunAsync(args, Terminal.Process).ConfigureAwait(false);
